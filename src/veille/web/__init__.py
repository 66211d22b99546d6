"""The queue in the browser, login, probes, and the door for pushed mentions."""
