<?php
// Collects checks, hands them a server, counts.

const PASSWORD = 'secret';
$checks = [];

/** Registers a topic's checks: name => function (Env, Redis). */
function topic(string $name, array $functions): void
{
    global $checks;
    foreach ($functions as $title => $function) {
        $checks["$name: $title"] = $function;
    }
}

function eq(mixed $got, mixed $want): void
{
    if ($got !== $want) {
        throw new AssertionError('got ' . substr(var_export($got, true), 0, 300) . ', want ' . substr(var_export($want, true), 0, 300));
    }
}

/** The call must fail with a RedisException, or return false and leave this error behind. */
function fails(Redis $redis, string $text, callable $call): void
{
    $redis->clearLastError();
    try {
        $returned = $call($redis);
        $error = $redis->getLastError();
        eq($returned, false);
    } catch (RedisException $exception) {
        $error = $exception->getMessage();
    }
    if (!str_contains((string) $error, $text)) {
        throw new AssertionError('got ' . var_export($error, true) . ", want '$text'");
    }
}

final class Env
{
    private array $opened = [];

    public function __construct(public string $server, public int $db, public string $locked)
    {
    }

    /** A connected client, set up the way frameworks do it. */
    public function client(?int $db = null, ?string $name = 'compat'): Redis
    {
        $redis = $this->connect($this->server);
        $redis->select($db ?? $this->db);
        if ($name !== null) {
            $redis->client('setname', $name);
        }
        return $redis;
    }

    public function connect(string $server, float $timeout = 30.0): Redis
    {
        [$host, $port] = explode(':', $server);
        $redis = new Redis();
        $redis->connect($host, (int) $port, $timeout);
        return $this->opened[] = $redis;
    }

    public function close(): void
    {
        foreach ($this->opened as $redis) {
            try {
                $redis->close();
            } catch (RedisException) {
            }
        }
        $this->opened = [];
    }
}
