// openai-node against gateways: `node openai_node.mjs NODE_MODULES KEY BASE_URL…` prints what it met at each, as JSON.

import { createRequire } from "node:module";
import { join } from "node:path";

const [modules, apiKey, ...baseURLs] = process.argv.slice(2);
// An import looks beside this file only.
const OpenAI = createRequire(join(modules, "resolved-from-here.js"))("openai");

const model = "gpt-5";
const parameters = {
  type: "object",
  properties: { city: { type: "string" } },
  required: ["city"],
  additionalProperties: false,
};
const description = "The weather of a city.";
const tool = { type: "function", name: "get_weather", description, parameters, strict: true };
const schema = {
  type: "object",
  properties: { name: { type: "string" }, people: { type: "integer" } },
  required: ["name", "people"],
  additionalProperties: false,
};
const dot = "data:image/png;base64,iVBORw0KGgo=";

const user = (content) => [{ role: "user", content }];

async function all(stream) {
  const events = [];
  for await (const event of stream) events.push(event);
  return events;
}

async function failure(act) {
  try {
    await act();
  } catch (error) {
    return { kind: error.constructor.name, status: error.status ?? null, code: error.code ?? null, param: error.param ?? null };
  }
  return null;
}

const scenariosOf = (client) => {
  const chat = (content, more) => client.chat.completions.create({ model, messages: user(content), ...more });
  const respond = (input, more) => client.responses.create({ model, input, ...more });
  return {
    async chat() {
      const whole = await chat("say Hi there");
      const chunks = await all(await chat("say Hi there", { stream: true, stream_options: { include_usage: true } }));
      const helper = client.chat.completions.stream({ model, messages: user("say Hi there") });
      const text = chunks.map((chunk) => chunk.choices[0]?.delta.content ?? "").join("");
      return {
        whole: whole.choices[0].message.content,
        finish_reason: whole.choices[0].finish_reason,
        text,
        final: await helper.finalContent(),
        ids: new Set(chunks.map((chunk) => chunk.id)).size,
        same_usage: JSON.stringify(chunks.at(-1).usage) === JSON.stringify(whole.usage),
      };
    },
    async responses() {
      const whole = await respond("say Hi there");
      const helper = client.responses.stream({ model, input: "say Hi there" });
      const events = await all(helper);
      const final = await helper.finalResponse();
      return {
        whole: whole.output_text,
        final: final.output_text,
        first: events[0].type,
        last: events.at(-1).type,
        numbers: events.every((event, at) => event.sequence_number === at),
        same_usage: JSON.stringify(final.usage) === JSON.stringify(whole.usage),
      };
    },
    async chat_tools() {
      const cities = [];
      const get_weather = ({ city }) => `${cities.push(city)} degrees`;
      const runner = client.chat.completions.runTools({
        model,
        messages: user("both"),
        stream: true,
        tools: [{ type: "function", function: { name: "get_weather", function: get_weather, parse: JSON.parse, description, parameters } }],
      });
      return { said: await runner.finalContent(), cities };
    },
    async responses_tools() {
      const helper = client.responses.stream({ model, input: "weather", tools: [tool] });
      const first = await helper.finalResponse();
      const call = first.output.find((item) => item.type === "function_call");
      const output = { type: "function_call_output", call_id: call.call_id, output: "4 degrees" };
      const second = await respond([...user("weather"), ...first.output, output], { tools: [tool] });
      return { name: call.name, arguments: call.arguments, parsed: call.parsed_arguments ?? null, said: second.output_text };
    },
    async structured() {
      const form = { name: "city", strict: true, schema };
      const one = await chat("json", { response_format: { type: "json_schema", json_schema: form } });
      const other = await respond("json", { text: { format: { type: "json_schema", ...form } } });
      return [JSON.parse(one.choices[0].message.content), JSON.parse(other.output_text)];
    },
    async images() {
      const one = await chat([{ type: "text", text: "images" }, { type: "image_url", image_url: { url: dot } }]);
      const parts = [{ type: "input_text", text: "images" }, { type: "input_image", image_url: dot, detail: "auto" }];
      const other = await respond(user(parts));
      return [one.choices[0].message.content, other.output_text];
    },
    async reasoning() {
      const effort = { reasoning: { effort: "low", summary: "auto" }, include: ["reasoning.encrypted_content"], store: false };
      const response = await respond("think", effort);
      const again = await respond([...user("think"), ...response.output, ...user("say And so?")], effort);
      const message = (await chat("think", { reasoning_effort: "low" })).choices[0].message;
      return { kinds: response.output.map((item) => item.type), said: again.output_text, thought: message.reasoning_content };
    },
    async refusal() {
      const message = (await chat("refuse")).choices[0].message;
      return [message.refusal, message.content];
    },
    async models() {
      const listed = await all(await client.models.list());
      return [listed.map((each) => each.id), (await client.models.retrieve("gpt-5-mini")).id];
    },
    async errors() {
      const heard = [];
      const fall = () => client.chat.completions.stream({ model, messages: user("break") }).on("content", (piece) => heard.push(piece));
      return {
        bad_chat: await failure(() => chat("bad", { stream: true })),
        bad_response: await failure(() => respond("bad")),
        busy: await failure(() => chat("busy")),
        no_messages: await failure(() => client.chat.completions.create({ model, messages: [] })),
        wrong_key: await failure(() => client.withOptions({ apiKey: "another-key" }).responses.create({ model, input: "say Hi" })),
        fallen: await failure(() => fall().finalContent()),
        heard: heard.join(""),
        failed: (await all(await respond("break", { stream: true }))).at(-1).response.error,
      };
    },
    async leaving() {
      const stream = await chat("stall", { stream: true });
      const heard = [];
      for await (const chunk of stream) {
        heard.push(chunk.choices[0].delta.content ?? "");
        if (heard.join("") !== "") break;
      }
      const waited = await failure(() => client.responses.create({ model, input: "wait" }, { timeout: 300 }));
      return { heard: heard.join(""), waited: waited?.kind ?? null };
    },
    // The last, as it parks the accounts.
    async limit() {
      try {
        await chat("limit");
      } catch (error) {
        return [error.constructor.name, error.code, error.headers.get("retry-after")];
      }
    },
  };
};

async function metAt(baseURL) {
  const client = new OpenAI({ baseURL, apiKey, maxRetries: 0, timeout: 30_000 });
  const met = {};
  for (const [name, play] of Object.entries(scenariosOf(client))) {
    try {
      met[name] = await play();
    } catch (error) {
      met[name] = { raised: String(error) };
    }
  }
  return met;
}

console.log(JSON.stringify(await Promise.all(baseURLs.map(metAt))));
