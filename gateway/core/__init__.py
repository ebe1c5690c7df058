"""The inner language: requests, frames, the fold of frames into a response, ids, usage.

Pure: values in, values out. No network, clock, randomness, environment or logging; time and ids come in as arguments.
Everybody above may import it; it imports `errors` only.
"""
