// Announces OpenClaw's calls to taskpass.
import os from "node:os"
import path from "node:path"
import { fileURLToPath } from "node:url"
import { announcer, judged, reporter } from "./announce.mjs"

const FILE_TOOLS = ["read", "write", "edit"]
const FOLDER_TOOLS = ["ls", "find", "grep"]

const post = announcer(new URL("./told.json", import.meta.url))
const report = reporter(post)

/** The file that OpenClaw takes this name for. */
function named(name, cwd) {
  const plain = name.startsWith("@") ? name.slice(1) : name
  if (plain.startsWith("file://")) return fileURLToPath(plain)
  if (plain === "~" || plain.startsWith("~/")) return path.join(os.homedir(), plain.slice(1))
  return path.resolve(cwd, plain)
}

/** The parameters with every place written out: what is judged and what runs is one and the same. */
function settled(tool, params, cwd) {
  if (tool === "exec") return { ...params, workdir: path.resolve(cwd, params.workdir ?? ".") }
  const folder = FOLDER_TOOLS.includes(tool)
  if (!folder && !FILE_TOOLS.includes(tool)) return params
  const { file_path: alias, ...rest } = params
  const name = rest.path ?? alias ?? (folder ? "." : undefined)
  return typeof name === "string" ? { ...rest, path: named(name, cwd) } : params
}

export default {
  id: "taskpass",
  name: "taskpass",
  description: "Announces calls to taskpass, which judges them.",
  register(api) {
    const about = (name, ctx) => ({
      hook_event_name: name,
      session_id: ctx?.sessionId ?? "",
      session_key: ctx?.sessionKey ?? "",
      cwd: api.runtime.agent.resolveAgentWorkspaceDir(api.config, ctx?.agentId ?? "main"),
    })

    // Last of all: of several plugins that change a call's parameters the last one counts, and
    // ours are those that were judged.
    const last = { priority: Number.MIN_SAFE_INTEGER }
    api.on("before_tool_call", async (event, ctx) => {
      const { toolName, toolKind, toolCallId } = event
      const told = about("before_tool_call", ctx)
      let params = settled(toolName, event.params, told.cwd)
      const reason = await judged(
        post,
        { ...told, toolName, toolKind, toolCallId, params },
        (rewritten) => {
          params = rewritten
        },
      )
      return reason === null ? { params } : { block: true, blockReason: reason }
    }, last)
    api.on("after_tool_call", async ({ toolName, toolCallId, error }, ctx) => {
      const told = about("after_tool_call", ctx)
      await report({ ...told, toolName, toolCallId, failed: Boolean(error) })
    })
    api.on("agent_end", async (_event, ctx) => void (await report(about("agent_end", ctx))))
  },
}
