// Runs llama.cpp and antiphon-bench in turn on random models of one shape, and prints the ratios. Started by llama.sh.
import {execFileSync} from 'node:child_process';
import {existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync} from 'node:fs';
import {availableParallelism, cpus, tmpdir} from 'node:os';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {parseArgs} from 'node:util';
import {shapes, writeGguf} from './gguf.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const formsOf = {int8: 'q8_0', bf16: 'bf16'};  // ours, and llama.cpp's nearest
const positions = 256, context = 64, steps = 96;

function fail(message) {
  console.error(`llama.sh: ${message}`);
  process.exit(2);
}

function readOptions() {
  const text = (value) => ({type: 'string', ...(value === undefined ? {} : {default: value})});
  const {values} = parseArgs({options: {
    bench: text(), folder: text(), shape: text('b0.4'), weights: text('int8,bf16'), runs: text('5'),
    threads: text(String(Math.min(availableParallelism(), 4))), json: text(),
  }});
  if (!(values.shape in shapes)) fail(`--shape: one of ${Object.keys(shapes).join(', ')}`);
  const count = (name, most) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1 || value > most) fail(`--${name}: 1 to ${most}`);
    return value;
  };
  const weights = values.weights.split(',');
  for (const form of weights) if (!(form in formsOf)) fail(`--weights: of ${Object.keys(formsOf).join(', ')}`);
  return {...values, weights, runs: count('runs', 1000), threads: count('threads', 64)};
}

const sorted = (values) => values.toSorted((a, b) => a - b);
const median = (values) => sorted(values)[values.length >> 1];

function runLlama(options, file) {
  const {vocabulary} = shapes[options.shape];
  const words = [options.folder, file, options.threads, vocabulary, positions, context, steps].map(String);
  const output = execFileSync('node', [join(here, 'llama_cpp.mjs'), ...words],
                              {encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit']});
  const {prefill_ms, step_ms} = JSON.parse(output.trim().split('\n').at(-1));
  return {prefill: prefill_ms, step: median(step_ms), best: Math.min(...step_ms)};
}

function runBench(options, form, scratch) {
  const run = (command, words) => {
    const json = join(scratch, `${command}.json`);
    execFileSync(options.bench, [command, '--shape', options.shape, '--weights', form, '--threads',
                                 String(options.threads), '--json', json, ...words], {stdio: ['ignore', 'ignore', 'inherit']});
    return JSON.parse(readFileSync(json, 'utf8')).results[0];
  };
  const {ms} = run('prefill', ['--positions', String(positions), '--repeats', '3']);
  const {step_ms, weight_bytes} =
      run('decode', ['--context', String(context), '--steps', String(steps), '--repeats', '1']);
  return {prefill: ms.median, step: step_ms.median, best: step_ms.min, bytes: weight_bytes};
}

// Of the runs: their medians, and the median, least and greatest of the ratios of each pair of runs.
function compare(pairs, what) {
  const ratios = sorted(pairs.map(({theirs, ours}) => theirs[what] / ours[what]));
  return {
    llama: median(pairs.map(({theirs}) => theirs[what])), antiphon: median(pairs.map(({ours}) => ours[what])),
    ratio: median(ratios), least: ratios[0], greatest: ratios.at(-1),
  };
}

function printLine(form, what, unit, {llama, antiphon, ratio, least, greatest}) {
  const cells = [form.padEnd(6), what.padEnd(22), `${llama.toFixed(1)}`.padStart(11), `${antiphon.toFixed(1)}`.padStart(11),
                 unit.padEnd(6), `${ratio.toFixed(2)}`.padStart(7), `${least.toFixed(2)} to ${greatest.toFixed(2)}`.padStart(15)];
  console.log(cells.join(' '));
}

const options = readOptions();
const scratch = mkdtempSync(join(tmpdir(), 'antiphon-peer-'));
try {
  const report = {machine: cpus()[0].model, threads: options.threads, shape: options.shape, positions, context, steps, results: []};
  console.log(`${options.shape}, ${options.threads} threads, ${options.runs} runs of each in turn`);
  console.log(['form  ', 'what'.padEnd(22), 'llama.cpp'.padStart(11), 'antiphon'.padStart(11), '      ', '  times', 'of the pairs'.padStart(15)].join(' '));
  for (const form of options.weights) {
    const file = join(options.folder, `${options.shape}-${formsOf[form]}.gguf`);
    if (!existsSync(file)) writeGguf(file, shapes[options.shape], formsOf[form]);
    const pairs = [];
    for (let run = 0; run < options.runs; ++run) {
      // Who is first changes, so that neither always follows the other.
      if (run % 2 === 0) {
        const theirs = runLlama(options, file);
        pairs.push({theirs, ours: runBench(options, form, scratch)});
      } else {
        const ours = runBench(options, form, scratch);
        pairs.push({theirs: runLlama(options, file), ours});
      }
    }
    const result = {form, llama_form: formsOf[form], llama_file_bytes: statSync(file).size,
                    antiphon_step_bytes: pairs[0].ours.bytes, pairs,
                    decode: compare(pairs, 'step'), decode_best: compare(pairs, 'best'), prefill: compare(pairs, 'prefill')};
    report.results.push(result);
    printLine(form, 'decode, median step', 'ms', result.decode);
    printLine(form, 'decode, fastest step', 'ms', result.decode_best);
    printLine(form, `prefill of ${positions}`, 'ms', result.prefill);
  }
  if (options.json) writeFileSync(options.json, `${JSON.stringify(report, null, 1)}\n`);
} finally {
  rmSync(scratch, {recursive: true, force: true});
}
