// Runs a training step in ONNX Runtime in a loop: node steps.cjs PEERS STEP.onnx INITIAL.onnx FEEDS.json STEPS
// FEEDS.json has {NAME: {type, dims, data}}. It prints the losses of all steps and the gradients of the first, as JSON.
const fs = require('fs'), path = require('path');
const [peers, model, initial, file, steps] = process.argv.slice(2);
const ort = require(path.join(peers, 'node_modules', 'onnxruntime-node'));
const arrays = { float32: Float32Array, float64: Float64Array, int64: BigInt64Array, int32: Int32Array };
(async () => {
  const options = { intraOpNumThreads: 1, interOpNumThreads: 1, logSeverityLevel: 3 };
  const session = await ort.InferenceSession.create(model, options);
  const feeds = { ...await (await ort.InferenceSession.create(initial, options)).run({}) };
  for (const [name, x] of Object.entries(JSON.parse(fs.readFileSync(file)))) {
    feeds[name] = new ort.Tensor(x.type, arrays[x.type].from(x.type === 'int64' ? x.data.map(BigInt) : x.data), x.dims);
  }
  const result = { losses: [], grads: {} };
  for (let i = 0; i < steps; i++) {
    const out = await session.run(feeds);
    result.losses.push(Number(out.loss.data[0]));
    for (const [name, t] of Object.entries(out)) {
      if (name.endsWith(':next')) feeds[name.slice(0, -':next'.length)] = t;
      if (i === 0 && name.startsWith('grad:')) result.grads[name] = Array.from(t.data);
    }
  }
  console.log(JSON.stringify(result));
})().catch(e => { console.error(String(e.message || e)); process.exit(1); });
