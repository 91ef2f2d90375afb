mod multi;
mod watch;
