"""A foreign client: the protocol's own SDK for Python. Prints what it saw as JSON."""

import asyncio
import json
import sys
import uuid

import grpc
import httpx
from a2a.client.card_resolver import A2ACardResolver
from a2a.client.client import ClientCallContext, ClientConfig
from a2a.client.client_factory import ClientFactory
from a2a.types.a2a_pb2 import (
    AgentInterface,
    CancelTaskRequest,
    GetTaskRequest,
    ListTasksRequest,
    Message,
    Part,
    Role,
    SendMessageConfiguration,
    SendMessageRequest,
    TaskPushNotificationConfig,
    TaskState,
)
from a2a.utils.signing import create_signature_verifier
from jwt.api_jwk import PyJWK

url, key, other, hook = sys.argv[1:]


def request(text, **more):
    configuration = more.pop("configuration", SendMessageConfiguration())
    message = Message(message_id=str(uuid.uuid4()), role=Role.ROLE_USER, parts=[Part(text=text)], **more)
    return SendMessageRequest(message=message, configuration=configuration)


def texts(task):
    return [part.text for artifact in task.artifacts for part in artifact.parts if part.HasField("text")]


async def send(client, asked):
    """The task as the last answer tells of it."""
    task = None
    async for one in client.send_message(asked):
        if one.HasField("task"):
            task = one.task
        elif one.HasField("status_update"):
            task = await client.get_task(GetTaskRequest(id=one.status_update.task_id))
    return task


def client_of(card, http, streaming):
    return ClientFactory(ClientConfig(httpx_client=http, streaming=streaming)).create(card)


async def by_grpc(card):
    """The same over gRPC, on the port that the card names."""
    seen = {}
    channels = []

    def channel(address):
        channels.append(grpc.aio.insecure_channel(address))
        return channels[-1]

    def client(streaming):
        bindings = ["GRPC"]
        config = ClientConfig(grpc_channel_factory=channel, supported_protocol_bindings=bindings, streaming=streaming)
        return ClientFactory(config).create(card)

    def caller(token):
        return ClientCallContext(service_parameters={"authorization": f"Bearer {token}"})

    async def last(asked):
        task = None
        async for one in plain.send_message(asked, context=caller(key)):
            task = one.task if one.HasField("task") else task
        return task

    plain = client(False)
    seen["sent"] = texts(await last(request("this")))[-1]
    events = client(True).send_message(request("make"), context=caller(key))
    kinds = [one.WhichOneof("payload") async for one in events]
    seen["streamed"] = [kinds[0], *[k for k in kinds[1:] if k == "artifact_update"], kinds[-1]]
    asked = await last(request("ask"))
    answer = request("ask that", task_id=asked.id, context_id=asked.context_id)
    seen["answered"] = [TaskState.Name(one.status.state) for one in (asked, await last(answer))]
    held = await last(request("hold", configuration=SendMessageConfiguration(return_immediately=True)))
    for name, token in (("stranger", other), ("nobody", "not-a-key-of-anybody")):
        try:
            await plain.get_task(GetTaskRequest(id=held.id), context=caller(token))
        except Exception as error:
            seen[name] = f"{type(error).__name__}: {str(error)[:26]}"
    canceled = await plain.cancel_task(CancelTaskRequest(id=held.id), context=caller(key))
    seen["canceled"] = TaskState.Name(canceled.status.state)
    for one in channels:
        await one.close()
    return seen


async def main():
    seen = {}
    bearer = lambda token: httpx.AsyncClient(headers={"authorization": f"Bearer {token}"}, timeout=20)
    async with bearer(key) as http, bearer(other) as others:
        card = await A2ACardResolver(http, url).get_agent_card()
        signed = await A2ACardResolver(http, url).get_agent_card(http_kwargs={"headers": {"A2A-Version": "1.0"}})
        keys = (await http.get(f"{url}/.well-known/jwks.json")).json()["keys"]
        create_signature_verifier(lambda kid, _: PyJWK(next(k for k in keys if k["kid"] == kid)), ["ES256"])(signed)
        versions = sorted({one.protocol_version for one in card.supported_interfaces})
        seen["card"] = {"name": card.name, "signed": True, "versions": versions}

        plain = client_of(card, http, False)
        push = TaskPushNotificationConfig(url=hook, token="token-of-python")
        told = SendMessageConfiguration(task_push_notification_config=push)
        seen["sent"] = texts(await send(plain, request("this", configuration=told)))[-1]

        streaming = client_of(card, http, True)
        kinds = [one.WhichOneof("payload") async for one in streaming.send_message(request("make"))]
        # How many changes of state fall together is nothing that is promised.
        seen["streamed"] = [kinds[0], *[k for k in kinds[1:] if k == "artifact_update"], kinds[-1]]

        asked = await send(plain, request("ask"))
        seen["asked"] = TaskState.Name(asked.status.state)
        answer = request("ask that", task_id=asked.id, context_id=asked.context_id)
        seen["answered"] = TaskState.Name((await send(plain, answer)).status.state)

        held = await send(plain, request("hold", configuration=SendMessageConfiguration(return_immediately=True)))
        canceled = await plain.cancel_task(CancelTaskRequest(id=held.id))
        seen["canceled"] = TaskState.Name(canceled.status.state)
        try:
            await client_of(card, others, False).get_task(GetTaskRequest(id=held.id))
        except Exception as error:
            seen["stranger"] = type(error).__name__
        listed = await plain.list_tasks(ListTasksRequest(page_size=2))
        seen["listed"] = len(listed.tasks) == 2 and listed.next_page_token != "" and listed.total_size == 4

        old = type(card)()
        old.CopyFrom(card)
        del old.supported_interfaces[:]
        at = f"{url}/a2a/tester"
        old.supported_interfaces.append(AgentInterface(url=at, protocol_binding="JSONRPC", protocol_version="0.3"))
        seen["legacy"] = texts(await send(client_of(old, http, False), request("old")))[-1]
        seen["grpc"] = await by_grpc(signed)
    print(json.dumps(seen))


asyncio.run(main())
