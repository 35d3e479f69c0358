"""A way to an AWS endpoint that ends the command under test at a chosen call, as a power cut would."""

import http.client
import http.server
import threading
import urllib.parse


class Cutter:
    """Passes requests on to url. The n-th one since reset calls end() once it is done and before its answer is heard; no
    request is passed on after it."""

    def __init__(self, url):
        target = urllib.parse.urlsplit(url).netloc
        cutter = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def pass_on(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                with cutter.lock:
                    cutter.count += 1
                    number = cutter.count
                if cutter.at and number > cutter.at:
                    cutter.cut(self)
                    return
                upstream = http.client.HTTPConnection(target, timeout=30)
                upstream.request(self.command, self.path, body, dict(self.headers))
                answer = upstream.getresponse()
                data = answer.read()
                upstream.close()
                if number == cutter.at:
                    cutter.cut(self)
                    return
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = pass_on

            def log_message(self, *args):
                pass

        self.lock = threading.Lock()
        self.reset()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def reset(self, at=0, end=lambda: None):
        self.count, self.at, self.end = 0, at, end

    def cut(self, handler):
        self.end()
        handler.close_connection = True

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
