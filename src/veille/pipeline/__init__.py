"""The stages: collect, analyze, evaluate, dispatch, deliver, sweep; each claims, works, commits."""
