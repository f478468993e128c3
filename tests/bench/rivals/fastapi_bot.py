"""
A Telegram bot written by hand with FastAPI and the Agents SDK for Python. Telegram posts to it, httpx sends, chats run in
parallel and each in order, history is in memory and lost with the process. No Dapr, nothing durable. uvicorn has its fast
parts (uvloop, httptools), one worker, no access log.
"""

import asyncio
import os
from collections import defaultdict
from contextlib import asynccontextmanager

import httpx
import uvicorn
from agents import Agent, OpenAIChatCompletionsModel, Runner, set_tracing_disabled
from fastapi import FastAPI, Request, Response
from openai import AsyncOpenAI

HISTORY_ITEMS = 20
PORT = int(os.environ["PORT"])
SECRET = os.environ["TELEGRAM_WEBHOOK_SECRET"]
BOT_API = f"{os.environ['TELEGRAM_API_ROOT']}/bot{os.environ['TELEGRAM_BOT_TOKEN']}"

set_tracing_disabled(True)
client = AsyncOpenAI(api_key=os.environ["OPENAI_API_KEY"], base_url=os.environ["OPENAI_BASE_URL"])
agent = Agent(
    name="bench",
    instructions=os.environ["INSTRUCTIONS"],
    model=OpenAIChatCompletionsModel(model=os.environ["MODEL"], openai_client=client),
)
histories: dict[int, list] = defaultdict(list)
locks: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
tasks: set[asyncio.Task] = set()


async def answer(telegram: httpx.AsyncClient, chat: int, text: str) -> None:
    async with locks[chat]:
        asked = {"role": "user", "content": text}
        result = await Runner.run(agent, [*histories[chat], asked])
        said = {"role": "assistant", "content": result.final_output}
        histories[chat] = [*histories[chat], asked, said][-HISTORY_ITEMS:]
        sent = await telegram.post(f"{BOT_API}/sendMessage", json={"chat_id": chat, "text": result.final_output})
        sent.raise_for_status()


@asynccontextmanager
async def lifespan(app: FastAPI):
    async with httpx.AsyncClient(limits=httpx.Limits(max_connections=200), timeout=30) as telegram:
        app.state.telegram = telegram
        hook = {"url": f"http://127.0.0.1:{PORT}/telegram", "secret_token": SECRET, "max_connections": 100}
        (await telegram.post(f"{BOT_API}/setWebhook", json=hook)).raise_for_status()
        print("ready", flush=True)
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/telegram")
async def updated(request: Request) -> Response:
    if request.headers.get("x-telegram-bot-api-secret-token") != SECRET:
        return Response(status_code=401)
    message = (await request.json()).get("message", {})
    if "text" in message:
        task = asyncio.create_task(answer(request.app.state.telegram, message["chat"]["id"], message["text"]))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    return Response()


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=PORT, log_level="warning", access_log=False)
