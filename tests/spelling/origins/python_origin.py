"""Ids as Python reads them.

python_origin.py PORT
"""

import sys
import uuid

from service import Versions, serve

if __name__ == "__main__":
    serve(int(sys.argv[1]), Versions({"int": int, "uuid": uuid.UUID}))
