mod databases;
mod process;
