"""pyarrow reads the stream that Arc wrote (src/columnar/ipc_golden_test.c holds Arc to those bytes)."""
import make_ipc


def test_pyarrow_reads_what_arc_wrote():
    make_ipc.check()
