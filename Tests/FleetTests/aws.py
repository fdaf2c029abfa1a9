"""Runs the AWS command line with itself in place of AWS: aws.py ARGUMENT... Prints each call that it was sent, as JSON.

Every call is answered by an empty object. To be run where there is nothing but a loopback interface.
"""

import http.server
import json
import os
import pathlib
import subprocess
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        print(json.dumps({"call": self.headers["X-Amz-Target"], "given": json.loads(body)}), flush=True)
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_):
        pass


server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
environment = {"PATH": os.environ["PATH"], "AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x"}
words = [str(pathlib.Path(sys.executable).parent / "aws"), *sys.argv[1:], "--region", "eu-central-1"]
words += ["--endpoint-url", f"http://127.0.0.1:{server.server_port}"]
sys.exit(subprocess.run(words, env=environment, stdout=subprocess.DEVNULL, check=False).returncode)
