//! respg: Redis's protocol, Postgres's truth. `src/ARCHITECTURE.md` is the map.

pub mod postgres;
