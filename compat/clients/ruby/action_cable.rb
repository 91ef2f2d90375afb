# action_cable.rb DB SERVER LOCKED_SERVER: two servers of Rails' ActionCable, which broadcast to each other's subscribers. The second goes
# to SECOND_SERVER, if that is set: another process over the same data.
require "logger"
require "securerandom"
require "active_support"
require "active_support/core_ext"
require "action_cable"
require "action_cable/server"
require "action_cable/subscription_adapter/redis"
require "redis"

DB, SERVER = ARGV
SERVERS = [SERVER, ENV["SECOND_SERVER"].to_s.empty? ? SERVER : ENV["SECOND_SERVER"]].freeze

def eq(got, want)
  raise "got #{got.inspect[0, 300]}, want #{want.inspect[0, 300]}" unless got == want
end

def wait_until
  limit = Process.clock_gettime(Process::CLOCK_MONOTONIC) + 15
  until yield
    raise "not within 15 s" if Process.clock_gettime(Process::CLOCK_MONOTONIC) > limit

    sleep 0.01
  end
end

def cable(address)
  host, port = address.split(":")
  config = ActionCable::Server::Configuration.new
  config.logger = Logger.new(File::NULL)
  config.cable = { adapter: "redis", host: host, port: port.to_i, db: DB.to_i, channel_prefix: "cable#{DB}" }
  ActionCable::Server::Base.new(config: config)
end

def subscribe(server, channel)
  heard, ready = Queue.new, Queue.new
  callback = ->(message) { heard << message }
  server.pubsub.subscribe(channel, callback, -> { ready << true })
  ready.pop
  [heard, callback]
end

CHECKS = {
  "broadcasts reach the subscribers of both servers" => lambda do |one, two|
    channel = SecureRandom.uuid
    heard = [one, two, two].map { |server| subscribe(server, channel).first }
    20.times { |number| [one, two][number % 2].broadcast(channel, { "number" => number }) }
    wait_until { heard.all? { |queue| queue.size == 20 } }
    # ActionCable hands messages to a pool of threads: their order is lost on the way.
    numbers = heard.map { |queue| Array.new(20) { ActiveSupport::JSON.decode(queue.pop)["number"] }.sort }
    eq(numbers, [(0...20).to_a] * 3)
  end,
  "nothing is heard after unsubscribing" => lambda do |one, two|
    channel, other = SecureRandom.uuid, SecureRandom.uuid
    heard, callback = subscribe(one, channel)
    witness, = subscribe(one, other)
    one.pubsub.unsubscribe(channel, callback)
    host, port = SERVER.split(":")
    client = Redis.new(host: host, port: port.to_i)
    wait_until { client.pubsub(:numsub, "cable#{DB}:#{channel}") == ["cable#{DB}:#{channel}", 0] }
    two.broadcast(channel, "lost")
    two.broadcast(other, "heard")
    eq([witness.pop, heard.size], ["\"heard\"", 0])
  end,
  "a server that stops leaves no subscription" => lambda do |one, _|
    channel = SecureRandom.uuid
    subscribe(one, channel)
    one.pubsub.shutdown
    host, port = SERVER.split(":")
    client = Redis.new(host: host, port: port.to_i)
    wait_until { client.pubsub(:channels, "*#{channel}") == [] }
  end
}.freeze

passed = failed = 0
CHECKS.each do |name, check|
  servers = SERVERS.map { |address| cable(address) }
  check.call(*servers)
  passed += 1
  puts "ok    #{name}"
rescue StandardError => error
  failed += 1
  puts "FAIL  #{name}: #{error.class}: #{error.message}"
end
puts "#{passed} passed, #{failed} failed"
$stdout.flush
exit!(failed.zero? ? 0 : 1)
