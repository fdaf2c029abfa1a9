"""Asks for credentials as a program does that knows nothing but the AWS SDK for Python, and prints what it got, as JSON.

Usage: credentials.py PATH QUESTION..., all asked at the same time:

    task    by AWS_CONTAINER_CREDENTIALS_RELATIVE_URI=PATH, which the ECS agent gives to a task
    node    of the instance metadata service, which is what the SDK does where nothing else is set
    node6   the same over IPv6

The SDK's default chain of providers is asked, with its default timeouts.
"""

import json
import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor

import botocore.session
from botocore.exceptions import BotoCoreError


def ask(path, question):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull
    if question == "task":
        os.environ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = path
    if question == "node6":
        os.environ["AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE"] = "ipv6"
    session = botocore.session.Session()
    answer = {"question": question}
    began = time.monotonic()
    try:
        credentials = session.get_credentials()
    except BotoCoreError as error:
        answer["error"] = str(error)
    else:
        if credentials:
            answer |= {"provider": credentials.method, "key": credentials.get_frozen_credentials().access_key}
    answer["seconds"] = time.monotonic() - began
    return answer


path, *questions = sys.argv[1:]
with ProcessPoolExecutor(len(questions)) as pool:
    print(json.dumps(list(pool.map(ask, [path] * len(questions), questions))))
