mod generic;
mod processes;
mod reading;
mod trimming;
mod writing;
