"""Reads {"sdk", "api", "version", "message", "value"} and tells what gcloud would not take of the
value, as it reads files that it is given: by its own descriptions of Google's APIs."""
import json
import sys

asked = json.load(sys.stdin)
sys.path[:0] = [asked["sdk"] + "/lib", asked["sdk"] + "/lib/third_party"]

from googlecloudsdk.api_lib.util import apis  # noqa: E402
from googlecloudsdk.api_lib.util import messages as messages_util  # noqa: E402

messages = apis.GetMessagesModule(asked["api"], asked["version"])
try:
    messages_util.DictToMessageWithErrorCheck(asked["value"], getattr(messages, asked["message"]))
except Exception as error:  # whatever it is, it is why gcloud would refuse it
    print(error)
