"""The official client of Python against a gateway: python openai-client.py BASE_URL KEY. Prints what it saw as JSON."""

import json
import sys
import uuid

import openai

base_url, key = sys.argv[1:]
client = openai.OpenAI(base_url=base_url, api_key=key, max_retries=0)
seen = {"models": [model.id for model in client.models.list()]}


def ask(text, **more):
    return [{"role": "user", "content": text}]


completion = client.chat.completions.create(model="ascent", messages=ask("python one"))
seen["completion"] = [completion.choices[0].message.content, completion.choices[0].finish_reason]

chunks = list(client.chat.completions.create(model="ascent", messages=ask("python two " + "word " * 40), stream=True))
seen["chunks"] = len(chunks)
seen["streamed"] = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
seen["finished"] = chunks[-1].choices[0].finish_reason

response = client.responses.create(model="ascent", input="python three")
seen["response"] = [response.output_text, response.status]
following = client.responses.create(model="ascent", input="python four", previous_response_id=response.id)
seen["following"] = [following.output_text, following.previous_response_id == response.id]

with client.responses.stream(model="ascent", input="python five") as stream:
    types = [event.type for event in stream]
    seen["events"] = [types[0], types[-1]]
    seen["final"] = stream.get_final_response().output_text

once = {"Idempotency-Key": str(uuid.uuid4())}
first, second = [
    client.chat.completions.create(model="ascent", messages=ask("python six"), extra_headers=once) for _ in range(2)
]
seen["same"] = first.id == second.id and first.choices == second.choices

named = {"X-Conversation-Id": str(uuid.uuid4())}
for text in ["python seven", "python eight"]:
    client.chat.completions.create(model="ascent", messages=ask(text), extra_headers=named)
items = client.conversations.items.list(named["X-Conversation-Id"])
seen["items"] = [item.content[0].text for item in items]


def refusal(attempt):
    try:
        attempt()
    except openai.APIStatusError as error:
        return [type(error).__name__, error.code]
    return None


stranger = openai.OpenAI(base_url=base_url, api_key="sk-of-nobody-at-all", max_retries=0)
seen["refusals"] = [
    refusal(lambda: stranger.chat.completions.create(model="ascent", messages=ask("x"))),
    refusal(lambda: client.chat.completions.create(model="gpt-4o", messages=ask("x"))),
    refusal(lambda: client.chat.completions.create(model="ascent", messages=ask("x"), n=2)),
    refusal(lambda: client.responses.create(model="ascent", input="python nine", extra_headers=once)),
    refusal(lambda: client.chat.completions.create(model="ascent", messages=ask("python fails"))),
]
print(json.dumps(seen))
