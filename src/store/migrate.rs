//! Brings a database to this version's schema.
use super::{Connection, StoreError};
pub async fn migrate(_c: &Connection) -> Result<(), StoreError> {
    Ok(())
}
