"""`python -m edge_infer.cli` is `edge-infer`."""

import sys

from edge_infer.cli.main import main

sys.exit(main())
