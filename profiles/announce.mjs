// Posts what a plugin sees to the supervisor, from inside the agent's own process.
import http from "node:http"
import { readFileSync } from "node:fs"

// Its own: the environment's proxy is for the agent's other requests.
const agent = new http.Agent({ keepAlive: true })

/** A function that posts one event and gives the answer; it throws whatever goes wrong.
 *  @param {URL} told - a file with {"url": …, "timeout": seconds} */
export function announcer(told) {
  const { url, timeout } = JSON.parse(readFileSync(told, "utf8"))
  return (event, seconds = timeout) =>
    new Promise((resolve, reject) => {
      const body = JSON.stringify(event)
      const headers = { "content-type": "application/json", "content-length": Buffer.byteLength(body) }
      const address = `${url}/${event.hook_event_name}`
      const request = http.request(address, { method: "POST", agent, headers }, (response) => {
        const parts = []
        response.on("data", (part) => parts.push(part))
        response.on("error", reject)
        response.on("end", () => {
          try {
            resolve(JSON.parse(Buffer.concat(parts).toString("utf8")))
          } catch (error) {
            reject(error)
          }
        })
      })
      request.setTimeout(seconds * 1000, () => request.destroy(new Error("no answer in time")))
      request.on("error", reject)
      request.end(body)
    })
}

/** The same as `post`, for mere reports: no failure, and no answer after a while, keeps the agent. */
export function reporter(post) {
  return async (event) => {
    try {
      return await post(event, 15)
    } catch {
      return {}
    }
  }
}

/** Judges one call: null when it may run, else why not. `rewrite` is given the arguments to use. */
export async function judged(post, event, rewrite) {
  let answer
  try {
    answer = await post(event)
  } catch {
    return "taskpass: the supervisor did not answer, so this call is blocked."
  }
  if (answer?.granted !== true) return answer?.reason || "taskpass refused this call."
  if (answer.input) rewrite(answer.input)
  return null
}

/** Makes arguments what they are: plugins that run after us cannot change what was judged. */
export function fixed(value) {
  if (value !== null && typeof value === "object" && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const name of Object.keys(value)) fixed(value[name])
  }
  return value
}
