// One run of llama.cpp, through node-llama-cpp: node llama_cpp.mjs FOLDER FILE THREADS VOCABULARY POSITIONS CONTEXT STEPS
// FOLDER holds node_modules. Prints {"prefill_ms", "step_ms": [...]} in JSON.
import {join, resolve} from 'node:path';
import {pathToFileURL} from 'node:url';

const [folder, modelPath, ...numbers] = process.argv.slice(2);
const [threads, vocabulary, positions, context, steps] = numbers.map(Number);
const warmUps = 4;

const library = join(resolve(folder), 'node_modules/node-llama-cpp/dist/index.js');
const {getLlama} = await import(pathToFileURL(library));
const llama = await getLlama({gpu: false, build: 'never', progressLogs: false, logLevel: 'error', maxThreads: threads});
const model = await llama.loadModel({modelPath});
const session = await model.createContext({
  contextSize: 2048, batchSize: Math.max(positions, context), threads: {ideal: threads, min: threads},
});
const sequence = session.getSequence();
// All over the vocabulary, beyond the control and byte pieces; another text each time, so that nothing is kept of the last.
const text = (count, salt) => Array.from({length: count}, (_, i) => 300 + (i * 7919 + salt) % (vocabulary - 300));

async function prefill(count, salt) {
  await sequence.clearHistory();
  const start = performance.now();
  await sequence.evaluateWithoutGeneratingNewTokens(text(count, salt));
  return performance.now() - start;
}

await prefill(positions, 1);  // warms up
const prefills = [];
for (let run = 0; run < 3; ++run) prefills.push(await prefill(positions, 2 + run));

await prefill(context, 9);
const taken = [];
let last = performance.now();
for await (const _ of sequence.evaluate([500], {temperature: 0, yieldEogToken: true})) {
  const now = performance.now();
  taken.push(now - last);
  last = now;
  if (taken.length === warmUps + steps) break;
}
console.log(JSON.stringify({prefill_ms: prefills.toSorted((a, b) => a - b)[1], step_ms: taken.slice(warmUps)}));
process.exit(0);  // the library's threads would keep it
