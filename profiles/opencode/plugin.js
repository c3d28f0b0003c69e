// Runs inside opencode: announces each tool call to the supervisor and waits for the answer.
// Whatever goes wrong on that way throws, and opencode does not run a tool whose hook has thrown.
// The adapter puts the settings in place of the word below.
const { url, seconds, environment, bash_env } = SETTINGS

const BLOCKED = "taskpass: the supervisor did not answer, so this call is blocked."
const REPORT_SECONDS = 15

async function post(event, fields, limit) {
  const response = await fetch(`${url}/${event}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ hook_event_name: event, ...fields }),
    signal: AbortSignal.timeout(limit * 1000),
    timeout: false, // Bun's own, shorter than a person may take
  })
  if (!response.ok && response.status !== 403) throw new Error(BLOCKED)
  return response.json()
}

// Of what the person asks opencode to ask about, our hook asks; what they deny stays denied.
function unasked(rules) {
  if (rules === "ask") return "allow"
  if (rules === null || typeof rules !== "object") return rules
  return Object.fromEntries(Object.entries(rules).map(([key, rule]) => [key, unasked(rule)]))
}

function frozen(value) {
  if (value !== null && typeof value === "object") Object.values(Object.freeze(value)).map(frozen)
}

export const Taskpass = async ({ client, directory }) => {
  const parents = new Map() // session → its parent's id, "" of the person's own
  const kinds = new Map() // session → name of the agent that works in it
  const prefixes = new Map() // call → what has to come before its command
  let servers = [] // of MCP, by the name that begins their tools' names

  async function parent(session) {
    if (!parents.has(session)) {
      const found = await client.session.get({ path: { id: session } })
      parents.set(session, found.data?.parentID ?? "")
    }
    return parents.get(session)
  }

  async function fields(session) {
    const subagent = (await parent(session)) ? session : ""
    return {
      session_id: session,
      cwd: directory,
      ...(subagent && { agent_id: subagent, agent_type: kinds.get(session) ?? "" }),
    }
  }

  const call = async (input, args) => ({
    ...(await fields(input.sessionID)),
    tool_name: input.tool,
    tool_input: args,
    tool_use_id: input.callID,
    ...(servers.length && { mcp_servers: servers }),
  })

  const report = async (event, told) => {
    try {
      return await post(event, await told, REPORT_SECONDS)
    } catch {
      return {} // nothing rests on it: a call also ends with its turn and by its age
    }
  }

  return {
    config: async (config) => {
      servers = Object.keys(config.mcp ?? {}).map((name) => name.replace(/[^a-zA-Z0-9_-]/g, "_"))
      const rules = unasked(config.permission ?? {})
      config.permission = typeof rules === "string" ? rules : { external_directory: "allow", ...rules }
      for (const agent of Object.values(config.agent ?? {})) {
        if (agent?.permission) agent.permission = unasked(agent.permission)
      }
    },

    "chat.message": async (input) => {
      kinds.set(input.sessionID, input.agent ?? "")
      if (!(await parent(input.sessionID))) await report("prompt", fields(input.sessionID))
    },

    "tool.execute.before": async (input, output) => {
      let answer
      try {
        answer = await post("tool.execute.before", await call(input, output.args), seconds)
      } catch {
        throw new Error(BLOCKED)
      }
      if (answer.decision !== "allow") throw new Error(answer.reason || "This call was refused.")
      const whole = answer.tool_input?.command
      if (whole !== undefined) {
        if (!whole.endsWith(output.args.command)) throw new Error(BLOCKED)
        prefixes.set(input.callID, whole.slice(0, whole.length - output.args.command.length))
      }
      frozen(output.args) // what was judged is what runs, whatever other plugins do after us
    },

    "tool.execute.after": async (input, output) => {
      prefixes.delete(input.callID)
      const answer = await report("tool.execute.after", call(input, input.args))
      if (answer.reason) output.output += `\n${answer.reason}`
    },

    "shell.env": async (input, output) => {
      Object.assign(output.env, environment)
      const prefix = prefixes.get(input.callID)
      // The shell reads it before anything of the command, and so is bound to its call.
      if (prefix) Object.assign(output.env, { BASH_ENV: bash_env, TASKPASS_PREFIX: prefix })
    },

    event: async ({ event }) => {
      const told = event.properties ?? {}
      if (event.type === "session.created") parents.set(told.info.id, told.info.parentID ?? "")
      if (event.type === "session.idle") await report("session.idle", fields(told.sessionID))
      if (event.type === "permission.asked") await report("permission.asked", fields(told.sessionID))
      const part = event.type === "message.part.updated" ? told.part : undefined
      if (part?.type === "tool" && part.state.status === "error") {
        prefixes.delete(part.callID)
        const input = { tool: part.tool, sessionID: part.sessionID, callID: part.callID }
        await report("tool.execute.error", call(input, part.state.input ?? {}))
      }
    },
  }
}
