"""rehearse.py RESPG [--seconds N] [--port P] [--folder F]: a shop that never closes is moved from redis-server to Postgres, back to Redis, and again to Postgres.

Prints each command as somebody would type it, what it says, and what the shop has noticed; ends with `N passed, M failed`."""

import argparse
import glob
import json
import os
import shlex
import signal
import subprocess
import sys
import time

import redis

HERE = os.path.dirname(os.path.abspath(__file__))
WEBS = WORKERS = 2


class Failed(Exception):
    pass


class Rehearsal:
    def __init__(self, options):
        self.brief = options.brief
        self.respg, self.seconds, self.folder = os.path.abspath(options.respg), options.seconds, options.folder
        self.redis_port, self.respg_port = options.port, options.port + 1
        self.redis_url = f"redis://127.0.0.1:{self.redis_port}"
        self.respg_url = f"redis://127.0.0.1:{self.respg_port}"
        self.servers, self.shop = {}, []
        self.again = False
        self.generation = self.passed = self.failed = 0
        self.problems = []

    # What is typed

    def show(self, words):
        words = ["respg" if word == self.respg else word for word in words]
        print(f"$ {shlex.join(words)}", flush=True)

    def run(self, *words, ok=True):
        self.show(words)
        done = subprocess.run(words, capture_output=True, text=True, timeout=180)
        text = (done.stdout + done.stderr).strip()
        for line in text.splitlines()[-12:]:
            print(f"  {line}", flush=True)
        if ok and done.returncode != 0:
            raise Failed(f"{os.path.basename(words[0])} {words[1]} ends with {done.returncode}")
        return text

    def start(self, name, *words):
        self.show([*words, "&"])
        log = open(f"{self.folder}/{name}.log", "a")
        self.servers[name] = subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT)

    def stop(self, name):
        process = self.servers.pop(name)
        process.send_signal(signal.SIGTERM)
        process.wait(30)

    def reached(self, url):
        for _ in range(600):
            try:
                return redis.Redis.from_url(url).ping()
            except (redis.exceptions.ConnectionError, redis.exceptions.TimeoutError):
                time.sleep(0.1)
        raise Failed(f"nobody answers at {url}")

    def ask(self, *words):
        return self.run("redis-cli", "-p", str(self.respg_port), *words)

    def mode(self, mode):
        begun = time.monotonic()
        said = self.ask("RESPG.MODE", "SET", mode)
        if said != "OK":
            raise Failed(f"RESPG.MODE SET {mode}: {said}")
        print(f"  ({time.monotonic() - begun:.1f} s)")

    # The shop

    def point_at(self, url):
        """Its programs get another address one after the other: the new one begins, then the old one ends."""
        print(f"# the shop's programs are started again, one after the other, with REDIS_URL={url}", flush=True)
        self.generation += 1
        old, self.shop = self.shop, []
        kinds = ["worker"] * WORKERS + ["web"] * WEBS
        for number, kind in enumerate(kinds):
            name = f"{kind}-{self.generation}-{number}"
            words = [sys.executable, f"{HERE}/shop/{kind}.py", url, name, f"{self.folder}/{name}.json"]
            log = open(f"{self.folder}/{name}.log", "w")
            self.shop.append((name, subprocess.Popen(words, stdout=log, stderr=subprocess.STDOUT)))
            self.opened(log.name)
            if old:
                self.end(old.pop(0))

    def opened(self, log):
        """A program that has only begun to start would not write down what it has done when it is to end."""
        for _ in range(600):
            time.sleep(0.1)
            if "open\n" in open(log).read():
                return time.sleep(1)
        raise Failed(f"{log}: it does not open")

    def end(self, program):
        name, process = program
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(40)
        except subprocess.TimeoutExpired:
            process.kill()
            self.problems.append(f"{name} does not end")

    def close(self):
        """Visitors go first; the workers do what has been ordered."""
        for program in [program for program in self.shop if program[0].startswith("web")]:
            self.end(program)
        connection = redis.Redis.from_url(self.respg_url)
        begun = time.monotonic()
        while time.monotonic() - begun < 30:
            [group] = connection.xinfo_groups("orders") or [{"pending": None}]
            last = connection.xinfo_stream("orders")["last-generated-id"] if group["pending"] == 0 else None
            if last == group.get("last-delivered-id", ""):
                break
            time.sleep(0.2)
        else:
            raise Failed(f"orders are left: {group}")
        for program in [program for program in self.shop if program[0].startswith("worker")]:
            self.end(program)
        self.shop = []

    # Stations

    def check(self, what, action):
        begun = time.monotonic()
        try:
            action()
            self.passed += 1
            print(f"ok    {what} ({time.monotonic() - begun:.0f} s)\n", flush=True)
        except (Failed, AssertionError, redis.exceptions.RedisError, subprocess.TimeoutExpired) as error:
            self.failed += 1
            print(f"FAIL  {what}: {error}\n", flush=True)

    def open_for(self, seconds):
        """The shop is watched."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for name, process in self.shop:
                if process.poll() is not None:
                    raise Failed(f"{name} has ended with {process.returncode}")
            time.sleep(0.2)

    def copy(self):
        self.run(self.respg, "import", self.redis_url, "--database-url", self.database)

    def compare(self):
        """No differences. Of a key that is written in every moment nothing can be said (exit code 2)."""
        self.caught_up()
        if self.brief and self.again and self.shop:
            return
        text = self.run(self.respg, "verify", self.redis_url, "--database-url", self.database, ok=not self.shop)
        if not text.startswith("no differences"):
            raise Failed(text.splitlines()[0])

    def status(self):
        words = subprocess.run(["redis-cli", "-p", str(self.respg_port), "RESPG.SHADOW", "STATUS"], capture_output=True, text=True).stdout.split()
        return dict(zip(words[::2], map(int, words[1::2])))

    def caught_up(self):
        """As one would do by hand: looks at the status until little is left to do."""
        begun = time.monotonic()
        while True:
            status = self.status()
            lag, unsettled, dirty = status["lag_records"], status["unsettled_keys"], status["dirty_slots"]
            if lag < 100 and unsettled < 50 and dirty == 0:
                break
            if time.monotonic() - begun > 60:
                raise Failed(f"the side that follows does not catch up: {status}")
            time.sleep(0.2)
        print(f"$ redis-cli -p {self.respg_port} RESPG.SHADOW STATUS")
        print(f"  ... lag_records {lag} ... unsettled_keys {unsettled} ... dirty_slots {dirty} (after {time.monotonic() - begun:.1f} s)", flush=True)

    def in_redis(self):
        self.start("redis", "redis-server", "--port", str(self.redis_port), "--save", "", "--dir", self.folder)
        self.reached(self.redis_url)
        connection = redis.Redis.from_url(self.redis_url)
        pipe = connection.pipeline(transaction=False)
        for number in range(3000):
            pipe.set(f"product:{number}", json.dumps({"number": number, "text": "x" * 200}), ex=3600 if number % 3 == 0 else None)
        pipe.execute()
        self.point_at(self.redis_url)
        self.open_for(self.seconds)

    def behind_respg(self):
        if "respg" not in self.servers:
            self.start(
                "respg", self.respg, "--port", str(self.respg_port), "--data-dir", f"{self.folder}/postgres", "--upstream", self.redis_url, "--mode", "redis"
            )
            self.reached(self.respg_url)
            for line in open(f"{self.folder}/respg.log"):
                if 'psql "' in line:
                    self.database = line.split('psql "')[1].split('"')[0]
        self.point_at(self.respg_url)
        self.open_for(self.seconds)

    def followed(self):
        self.mode("shadow")
        self.copy()
        self.open_for(self.seconds)
        self.compare()

    def in_postgres(self):
        self.mode("reverse")
        self.open_for(self.seconds)
        self.compare()

    def back(self):
        self.mode("shadow")
        self.open_for(self.seconds)
        self.compare()
        self.mode("redis")
        self.open_for(self.seconds / 2)

    def without_respg(self):
        self.point_at(self.redis_url)
        self.open_for(self.seconds)
        self.again = True

    def at_night(self):
        """Nobody writes: both sides are the same to the last key."""
        self.close()
        self.compare()

    def without_redis(self):
        self.mode("postgres")
        self.stop("redis")
        self.point_at(self.respg_url)
        self.open_for(self.seconds)

    # What has to be true in the end

    def ledgers(self, kind):
        paths = sorted(glob.glob(f"{self.folder}/{kind}-*.json"))
        assert len(paths) == self.generation * (WEBS if kind == "web" else WORKERS), f"only {paths} were written"
        return [json.load(open(path)) for path in paths]

    def nobody_complains(self):
        programs = self.ledgers("web") + self.ledgers("worker")
        total = lambda name: sum(program["count"].get(name, 0) for program in programs)
        longest = max(program["longest"] for program in programs)
        print(f"  {total('operations')} operations, {total('retries')} tried again, {total('conflicts')} conflicts of WATCH")
        print(f"  the longest took {longest:.2f} s; {total('heard')} messages heard, {total('subscribed again')} times subscribed again")
        kinds = {}
        for program in programs:
            for kind, count in program["kinds"].items():
                kinds[kind] = kinds.get(kind, 0) + count
        for kind, count in sorted(kinds.items(), key=lambda item: -item[1])[:5]:
            print(f"  {count} x {kind}")
        problems = self.problems + [problem for program in programs for problem in program["problems"]]
        assert not problems, f"{len(problems)} problems, first of all {problems[:3]}"

    def every_order_once(self):
        orders = {}
        for web in self.ledgers("web"):
            orders.update(web["orders"])
        workers = self.ledgers("worker")
        delivered = {}
        for worker in workers:
            for job, times in worker["delivered"].items():
                delivered[job] = delivered.get(job, 0) + times
        done = {job for worker in workers for job in worker["done"]}
        connection = redis.Redis.from_url(self.respg_url)
        again = sum(times - 1 for times in delivered.values())
        inherited = sum(worker["count"].get("inherited", 0) for worker in workers)
        print(f"  {len(orders)} orders, {len(done)} done; {again} delivered again, {inherited} inherited from workers that had gone")
        lost = set(orders) - done
        assert not lost, f"{len(lost)} orders are lost, e.g. {sorted(lost)[:3]}"
        assert done <= set(orders), f"{len(done - set(orders))} orders were never made"
        effects = int(connection.get("total:orders")), int(connection.get("total:amount"))
        assert effects == (len(orders), sum(orders.values())), f"effects {effects}, orders {len(orders), sum(orders.values())}"
        retries = sum(program["count"].get("retries", 0) for program in workers + self.ledgers("web"))
        assert again == 0 or retries > 0, "orders were delivered twice though nothing went wrong"

    def sums(self):
        hits, unsure = {}, {}
        for web in self.ledgers("web"):
            for counted, sum_ in (("hits", hits), ("unsure", unsure)):
                for page, count in web[counted].items():
                    sum_[page] = sum_.get(page, 0) + count
        connection = redis.Redis.from_url(self.respg_url)
        for page, count in hits.items():
            said = int(connection.get(f"hits:{page}"))
            assert count <= said <= count + unsure.get(page, 0), f"hits:{page} is {said}, not {count}"
        print(f"  {sum(hits.values())} hits on {len(hits)} pages")
        products = [connection.ttl(f"product:{number}") for number in (0, 1, 2999)]
        assert products[1] == -1 and all(0 < products[at] <= 3600 for at in (0,)), f"expiry times of products: {products}"

    def play(self):
        self.check("1. The shop is open, on redis-server", self.in_redis)
        self.check("2. respg is in front of Redis and only passes on", self.behind_respg)
        self.check("3. Postgres follows: copied, compared, no difference", self.followed)
        self.check("4. Postgres answers, Redis follows: no difference", self.in_postgres)
        self.check("5. Back: Redis answers, Postgres follows, then nobody", self.back)
        self.check("6. Without respg", self.without_respg)
        self.check("7. Again in front", self.behind_respg)
        self.check("8. Postgres follows again", self.followed)
        self.check("9. Postgres answers, Redis follows", self.in_postgres)
        self.check("The shop is closed for a moment: exit code 0", self.at_night)
        self.check("10. Postgres alone", self.without_redis)
        self.check("The shop closes", self.close)
        self.check("Every error was covered by the shop's own retry, every page and session was right", self.nobody_complains)
        self.check("Each order was done once", self.every_order_once)
        self.check("Counters are right", self.sums)

    def clean(self):
        for name, process in self.shop:
            process.kill()
        for name in list(self.servers):
            self.stop(name)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("respg")
    parser.add_argument("--seconds", type=float, default=20, help="how long the shop is watched at each station")
    parser.add_argument("--brief", action="store_true", help="compares only once on the second way to Postgres")
    parser.add_argument("--port", type=int, default=24100, help="of redis-server; respg has the next one")
    parser.add_argument("--folder", required=True)
    rehearsal = Rehearsal(parser.parse_args())
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        rehearsal.play()
    finally:
        rehearsal.clean()
    print(f"{rehearsal.passed} passed, {rehearsal.failed} failed")
    sys.exit(rehearsal.failed != 0)


main()
