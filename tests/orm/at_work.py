"""An application's process that runs as long as its node: a script on each line, as JSON, and what it prints or fails by."""
import contextlib
import io
import json
import sys
import traceback

for line in sys.stdin:
    printed, failure = io.StringIO(), None
    try:
        with contextlib.redirect_stdout(printed):
            exec(json.loads(line), {})
    except BaseException:
        failure = traceback.format_exc()
    print(json.dumps([printed.getvalue(), failure]), flush=True)
