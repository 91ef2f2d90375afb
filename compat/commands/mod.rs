//! What the subject says about its commands: compared with the references, and with what the cases have shown. From
//! this comes the README's table of commands.

pub mod docs;
pub mod info;
pub mod table;
