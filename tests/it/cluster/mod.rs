use crate::support::client::error;
use crate::support::matrix::matrix;

#[test]
fn is_refused() {
    matrix(|c| {
        for call in [
            "ASKING",
            "READONLY",
            "READWRITE",
            "CLUSTER ADDSLOTS 1",
            "CLUSTER ADDSLOTSRANGE 1 2",
            "CLUSTER BUMPEPOCH",
            "CLUSTER COUNT-FAILURE-REPORTS n",
            "CLUSTER COUNTKEYSINSLOT 1",
            "CLUSTER DELSLOTS 1",
            "CLUSTER DELSLOTSRANGE 1 2",
            "CLUSTER FAILOVER",
            "CLUSTER FLUSHSLOTS",
            "CLUSTER FORGET n",
            "CLUSTER GETKEYSINSLOT 1 2",
            "CLUSTER HELP",
            "CLUSTER INFO",
            "CLUSTER KEYSLOT k",
            "CLUSTER LINKS",
            "CLUSTER MEET 127.0.0.1 1",
            "CLUSTER MYID",
            "CLUSTER MYSHARDID",
            "CLUSTER NODES",
            "CLUSTER REPLICAS n",
            "CLUSTER REPLICATE n",
            "CLUSTER RESET",
            "CLUSTER SAVECONFIG",
            "CLUSTER SET-CONFIG-EPOCH 1",
            "CLUSTER SETSLOT 1 STABLE",
            "CLUSTER SHARDS",
            "CLUSTER SLAVES n",
            "CLUSTER SLOTS",
        ] {
            assert_eq!(c.cmd(call), error("ERR This instance has cluster support disabled"), "{call}");
        }
    });
}
