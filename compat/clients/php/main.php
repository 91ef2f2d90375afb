<?php
// main.php DB SERVER LOCKED_SERVER: phpredis against SERVER's database DB.
require __DIR__ . '/kit.php';
foreach (glob(__DIR__ . '/topics/*.php') as $file) {
    require $file;
}

$php = [getenv('PHP') ?: PHP_BINARY]; // for checks that start processes
[, $db, $server, $locked] = $argv;
$env = new Env($server, (int) $db, $locked);
$passed = $failed = 0;
foreach ($checks as $name => $check) {
    try {
        $redis = $env->client();
        $redis->flushDB();
        $check($env, $redis);
        $passed++;
        echo "ok    $name\n";
    } catch (Throwable $error) {
        $failed++;
        $class = get_class($error);
        $line = ($error->getTrace()[0]['line'] ?? 0) . '/' . $error->getLine();
        echo "FAIL  $name (line $line): $class: " . preg_replace('/\s+/', ' ', $error->getMessage()) . "\n";
    } finally {
        $env->close();
    }
}
echo "$passed passed, $failed failed\n";
exit($failed === 0 ? 0 : 1);
