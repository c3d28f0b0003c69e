// A gRPC service and its client, with texts for messages: `server KEY CERT` or `client ROOTS PORT WHAT`.
"use strict";
const fs = require("fs");
const grpc = require("@grpc/grpc-js");

const text = { serialize: (x) => Buffer.from(x), deserialize: (x) => x.toString() };
const method = (path, stream) => ({
  path, requestStream: false, responseStream: stream,
  requestSerialize: text.serialize, requestDeserialize: text.deserialize,
  responseSerialize: text.serialize, responseDeserialize: text.deserialize,
});
const service = { say: method("/test.Service/Say", false), watch: method("/test.Service/Watch", true) };
const [, , role, ...words] = process.argv;

if (role === "server") {
  const [key, certificate] = words.map((path) => fs.readFileSync(path));
  const server = new grpc.Server();
  server.addService(service, {
    say: (call, done) => done(null, `${call.request} ${call.metadata.get("authorization")[0] ? "with" : "without"}`),
    watch: (call) => { call.write("first"); setInterval(() => call.write("next"), 50); },
  });
  const pair = [{ private_key: key, cert_chain: certificate }];
  server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createSsl(null, pair), (error, port) => {
    if (error) throw error;
    console.log(port);
  });
} else {
  const [roots, port, what, token] = words;
  const Client = grpc.makeGenericClientConstructor(service, "Service");
  const client = new Client(`localhost:${port}`, grpc.credentials.createSsl(fs.readFileSync(roots)));
  const metadata = new grpc.Metadata();
  metadata.set("authorization", `Bearer ${token}`);
  const failed = (error) => { console.log(`failed ${error.code} ${error.details}`); process.exit(0); };
  if (what === "say") {
    client.say("hello", metadata, (error, answer) => { if (error) failed(error); console.log(answer); process.exit(0); });
  } else {
    const call = client.watch("please", metadata);
    call.on("data", (each) => console.log(each));
    call.on("error", failed);
  }
}
