"""A reward program for the tests; its argument says how it behaves."""

import json
import os
import signal
import sys
import time

behaviour = sys.argv[1]
if behaviour == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
for line in sys.stdin:
    request = json.loads(line)
    open(request["image"], "rb").read(8).index(b"PNG")
    index = request["index"]
    if behaviour == "index":
        print(index)
    elif behaviour == "metadata":
        print(request["metadata"]["difficulty"] + index)
    elif behaviour == "one-garbage":
        print("pretty good" if index == 1 else index)
    elif behaviour == "one-nan":
        print("nan" if index == 1 else index)
    elif behaviour == "all-nan":
        print("nan")
    elif behaviour == "constant":
        print(0.5)
    elif behaviour == "garbage":
        print("loading the model …")
    elif behaviour == "too-many":
        print(index, index, sep="\n")
    elif behaviour == "ends" and index == 1:
        sys.exit(7)
    elif behaviour == "ends-later" and request["iteration"] == 1:
        sys.exit(7)
    elif behaviour == "stubborn":
        for number in range(4_000):  # so that the end of the command, which clears the folder, takes a while
            open(os.path.join(os.path.dirname(request["image"]), str(number)), "w").close()
        print("waiting", file=open(sys.argv[2], "w"))
        time.sleep(600)
    elif behaviour != "silent":
        print(index)
