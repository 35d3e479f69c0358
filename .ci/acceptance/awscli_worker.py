"""The AWS CLI, loaded once and forked for each command: its start-up is paid once instead of a hundred times.

Reads one JSON object a line, {"args": […], "env": {…}}; runs what the `aws` executable would run, in a process of its
own with env added to the environment; and answers with one line, {"status": N, "stdout": "…", "stderr": "…"}.
"""

import json
import os
import sys
import tempfile
import traceback

from awscli.clidriver import create_clidriver


def run(cli, args, env):
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                os.environ.update(env)
                status = cli.main(args)
            except SystemExit as end:
                status = end.code
            except BaseException:
                traceback.print_exc()
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status or 0)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        texts = []
        for stream in (out, err):
            stream.seek(0)
            texts.append(stream.read().decode())
    return {"status": status, "stdout": texts[0], "stderr": texts[1]}


def loaded():
    """The CLI, with the models of the services that are asked already read. Settings are read anew by each command."""
    cli = create_clidriver()
    loader = cli.session.get_component("data_loader")
    for data in ("endpoints", "partitions", "_retry", "sdk-default-configuration", "cli"):
        loader.load_data(data)
    for service in ("account", "ec2", "events", "sns", "sts"):
        for kind in ("service-2", "endpoint-rule-set-1", "paginators-1"):
            loader.load_service_model(service, kind)
    return cli


if __name__ == "__main__":
    driver = loaded()
    for line in sys.stdin:
        command = json.loads(line)
        print(json.dumps(run(driver, command["args"], command["env"])), flush=True)
