"""An agent of the official Python SDK: `a2a-server.py <port> [0.3] [grpc port]`. It says on stdout when it listens."""

import asyncio
import sys

import grpc
import uvicorn
from a2a.helpers import new_task_from_user_message, new_text_message, new_text_part
from a2a.server.agent_execution import AgentExecutor
from a2a.server.request_handlers import DefaultRequestHandlerV2, GrpcHandler
from a2a.server.routes import create_agent_card_routes, create_jsonrpc_routes
from a2a.server.tasks import InMemoryTaskStore, TaskUpdater
from a2a.types.a2a_pb2 import AgentCapabilities, AgentCard, AgentInterface, AgentSkill, Part
from a2a.types.a2a_pb2_grpc import add_A2AServiceServicer_to_server
from starlette.applications import Starlette

port = int(sys.argv[1])
version = sys.argv[2] if len(sys.argv) > 2 else "1.0"
grpc_port = sys.argv[3] if len(sys.argv) > 3 else None


class Executor(AgentExecutor):
    async def execute(self, context, queue):
        words = context.get_user_input()
        if words == "message":
            await queue.enqueue_event(new_text_message("only a message"))
            return
        if context.current_task is None:
            await queue.enqueue_event(new_task_from_user_message(context.message))
        updater = TaskUpdater(queue, context.task_id, context.context_id)
        if words == "ask":
            await updater.requires_input(new_text_message("Which colour?"))
            return
        await updater.start_work(new_text_message("python is thinking"))
        if words.startswith("slow"):
            await asyncio.sleep(float(words.split(" ")[1]))
        if words == "grow":
            for n, part in enumerate(["one ", "two ", "three"]):
                await updater.add_artifact([new_text_part(part)], artifact_id="story", append=n > 0, last_chunk=n == 2)
                await asyncio.sleep(0.2)
        elif words == "file":
            seen = [len(part.raw) for part in context.message.parts if part.HasField("raw")]
            parts = [new_text_part(f"seen {seen}"), Part(raw=b"a;b", media_type="text/csv", filename="t.csv")]
            await updater.add_artifact(parts)
        else:
            await updater.add_artifact([new_text_part(f"python did {words}")])
        await updater.complete()

    async def cancel(self, context, queue):
        await TaskUpdater(queue, context.task_id, context.context_id).cancel()


card = AgentCard(
    name="Python",
    description="An agent of the Python SDK",
    version="1.0.0",
    default_input_modes=["text/plain", "text/csv"],
    default_output_modes=["text/plain"],
    capabilities=AgentCapabilities(streaming=True),
    supported_interfaces=[
        AgentInterface(url=f"http://127.0.0.1:{port}/", protocol_binding="JSONRPC", protocol_version=version)
    ],
    skills=[AgentSkill(id="echo", name="Echo", description="Does what it is told", tags=["echo"])],
)
if grpc_port is not None:
    # It prefers gRPC, and has nothing else to be asked by.
    del card.supported_interfaces[:]
    at = f"127.0.0.1:{grpc_port}"
    card.supported_interfaces.append(AgentInterface(url=at, protocol_binding="GRPC", protocol_version="1.0"))
handler = DefaultRequestHandlerV2(agent_executor=Executor(), task_store=InMemoryTaskStore(), agent_card=card)
routes = [*create_agent_card_routes(card), *create_jsonrpc_routes(handler, "/", enable_v0_3_compat=version == "0.3")]


class Server(uvicorn.Server):
    async def startup(self, sockets=None):
        await super().startup(sockets)
        if grpc_port is not None:
            self.grpc = grpc.aio.server()
            add_A2AServiceServicer_to_server(GrpcHandler(handler), self.grpc)
            self.grpc.add_insecure_port(f"127.0.0.1:{grpc_port}")
            await self.grpc.start()
        print("listening", flush=True)


Server(uvicorn.Config(Starlette(routes=routes), host="127.0.0.1", port=port, log_level="warning")).run()
