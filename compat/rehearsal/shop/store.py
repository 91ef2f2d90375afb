"""What both programs of the shop need: a client of redis-py, its retries, and a ledger of what was really done."""

import asyncio
import json
import time
from collections import Counter

import redis.asyncio
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError, ResponseError, TimeoutError, WatchError

PATIENCE = 30.0  # seconds that an operation is tried again for


class GaveUp(Exception):
    pass


class Store:
    def __init__(self, url, ledger):
        # The shop tries again by itself, so that it knows how often.
        self.redis = redis.asyncio.Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_timeout=20, decode_responses=True)
        self.ledger = ledger

    async def attempt(self, operation):
        """Runs an operation that may be run twice; again after the errors that an application has to expect of any network."""
        begun = time.monotonic()
        while True:
            try:
                result = await operation()
                self.ledger.took(time.monotonic() - begun)
                return result
            except WatchError:
                self.ledger.count["conflicts"] += 1
            except (ConnectionError, TimeoutError) as error:  # LOADING is a ConnectionError, too
                await self.again(error, begun)
            except ResponseError as error:
                if "outcome unknown" not in str(error) and "TRYAGAIN" not in str(error):
                    raise
                await self.again(error, begun)

    async def again(self, error, begun):
        self.ledger.count["retries"] += 1
        self.ledger.kinds[f"{type(error).__name__}: {error}"[:100]] += 1
        if time.monotonic() - begun > PATIENCE:
            raise GaveUp(f"not within {PATIENCE} s: {error}") from error
        await asyncio.sleep(0.05)


class Ledger:
    """Written when the program ends, beside the data store: what has to be true of it."""

    def __init__(self, path):
        self.path = path
        self.count = Counter()
        self.kinds = Counter()
        self.facts = {}
        self.longest = 0.0
        self.problems = []

    def took(self, seconds):
        self.count["operations"] += 1
        self.longest = max(self.longest, seconds)

    def problem(self, text):
        self.problems.append(text[:300])

    def write(self):
        text = {"count": self.count, "kinds": self.kinds, "longest": self.longest, "problems": self.problems, **self.facts}
        with open(self.path, "w") as file:
            json.dump(text, file)
