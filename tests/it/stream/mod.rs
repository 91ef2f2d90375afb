mod generic;
mod groups;
mod pending;
mod processes;
mod queue;
mod reading;
mod trimming;
mod writing;
