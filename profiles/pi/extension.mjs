// Announces pi's calls to taskpass. Loaded before every other extension.
import { createBashTool, createLocalBashOperations } from "@mariozechner/pi-coding-agent"
import { readFileSync } from "node:fs"
import { announcer, fixed, judged, reporter } from "./announce.mjs"

const told = new URL("./told.json", import.meta.url)
const { secrets } = JSON.parse(readFileSync(told, "utf8"))
const post = announcer(told)
const report = reporter(post)

/** The environment of the agent without its log-in to the model. */
const lessened = (env) =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !secrets.includes(name)))

export default function (pi) {
  const about = (name, ctx) => ({
    hook_event_name: name,
    session_id: ctx.sessionManager.getSessionId(),
    cwd: ctx.cwd,
  })

  // Its own tool, with a shell and a beginning of the command that no settings file can change.
  const bash = createBashTool(process.cwd(), {
    shellPath: "/bin/bash",
    spawnHook: (context) => ({ ...context, env: lessened(context.env) }),
  })
  pi.registerTool({
    ...bash,
    execute: (id, input, signal, update) => bash.execute(id, input, signal, update),
  })
  const own = createLocalBashOperations({ shellPath: "/bin/bash" })
  // What the person types is no call: it runs, and stand-ins are worth nothing in it.
  pi.on("user_bash", () => ({
    operations: {
      exec: (command, cwd, options) =>
        own.exec(command, cwd, { ...options, env: lessened(options?.env ?? process.env) }),
    },
  }))

  pi.on("tool_call", async (event, ctx) => {
    const { toolName, toolCallId, input } = event
    const reason = await judged(
      post,
      { ...about("tool_call", ctx), toolName, toolCallId, input },
      (rewritten) => Object.assign(input, rewritten),
    )
    if (reason !== null) return { block: true, reason }
    fixed(input)
  })
  pi.on("tool_result", async (event, ctx) => {
    const { toolName, toolCallId, input, isError } = event
    const answer = await report({
      ...about("tool_result", ctx), toolName, toolCallId, input, isError,
    })
    if (answer.granted && answer.reason) return { content: [...event.content, { type: "text", text: answer.reason }] }
  })
  pi.on("input", async (_event, ctx) => void (await report(about("input", ctx))))
  pi.on("agent_end", async (_event, ctx) => void (await report(about("agent_end", ctx))))
  pi.on("session_shutdown", async (_event, ctx) => void (await report(about("session_shutdown", ctx))))
}
