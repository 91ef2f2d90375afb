mod dump;
mod expire;
mod object;
mod presence;
mod rename;
mod scan;
mod wait;
