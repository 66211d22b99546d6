"""The weekly summary: figures that outlive what they count, in words, on paper and in mail."""
