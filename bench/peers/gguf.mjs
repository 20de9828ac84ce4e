// Writes a llama.cpp model file (GGUF 3) with random weights.
import {randomFillSync} from 'node:crypto';
import {closeSync, openSync, renameSync, writeSync} from 'node:fs';

// As in src/bench/model_shapes.cc.
export const shapes = {
  'wren': {layers: 8, width: 256, heads: 4, kvHeads: 4, headWidth: 64, mlpWidth: 768, vocabulary: 2592},
  'b0.4': {layers: 24, width: 896, heads: 14, kvHeads: 2, headWidth: 64, mlpWidth: 4864, vocabulary: 32000},
  'b1.2': {layers: 28, width: 1536, heads: 12, kvHeads: 2, headWidth: 128, mlpWidth: 8960, vocabulary: 32000},
};

const alignment = 32;
const blockBytes = 1 << 24;  // written at a time
const valueTypes = {uint32: 4, float32: 6, string: 8, array: 9, int32: 5};

// The header is collected in pieces.
class Header {
  pieces = [];
  entries = 0;

  uint32(value) { const b = Buffer.alloc(4); b.writeUInt32LE(value); this.pieces.push(b); }
  uint64(value) { const b = Buffer.alloc(8); b.writeBigUInt64LE(BigInt(value)); this.pieces.push(b); }
  float32(value) { const b = Buffer.alloc(4); b.writeFloatLE(value); this.pieces.push(b); }
  int32(value) { const b = Buffer.alloc(4); b.writeInt32LE(value); this.pieces.push(b); }
  string(value) { const text = Buffer.from(value); this.uint64(text.length); this.pieces.push(text); }

  entry(key, type, value) {
    this.string(key);
    this.uint32(valueTypes[type]);
    this[type](value);
    ++this.entries;
  }
  list(key, type, values) {
    this.string(key);
    this.uint32(valueTypes.array);
    this.uint32(valueTypes[type]);
    this.uint64(values.length);
    for (const value of values) this[type](value);
    ++this.entries;
  }
}

// How `count` numbers are stored. `fill` makes a whole number of units of random bytes into legal numbers.
const forms = {
  f32: {id: 0, unitNumbers: 1, unitBytes: 4},
  // Blocks of 32 int8 with a float16 scale: 0x0d00 is 3.05e-4, so that numbers are within +-0.04.
  q8_0: {
    id: 8, unitNumbers: 32, unitBytes: 34,
    fill: (bytes) => { for (let i = 0; i < bytes.length; i += 34) bytes.writeUInt16LE(0x0d00, i); },
  },
  // Any sign and mantissa, the exponent of 0.015 to 0.03.
  bf16: {
    id: 30, unitNumbers: 1, unitBytes: 2,
    fill: (bytes) => { for (let i = 1; i < bytes.length; i += 2) {
      bytes[i] = (bytes[i] & 0x80) | 0x3c;
      bytes[i - 1] |= 0x80;
    } },
  },
};

function tensorsOf(shape, form) {
  const {layers, width, heads, kvHeads, headWidth, mlpWidth, vocabulary} = shape;
  const tensors = [];
  const matrix = (name, out, inputs) => tensors.push({name: `${name}.weight`, dimensions: [inputs, out], form});
  const norm = (name) => tensors.push({name: `${name}.weight`, dimensions: [width], form: 'f32'});
  matrix('token_embd', vocabulary, width);
  for (let i = 0; i < layers; ++i) {
    norm(`blk.${i}.attn_norm`);
    matrix(`blk.${i}.attn_q`, heads * headWidth, width);
    matrix(`blk.${i}.attn_k`, kvHeads * headWidth, width);
    matrix(`blk.${i}.attn_v`, kvHeads * headWidth, width);
    matrix(`blk.${i}.attn_output`, width, heads * headWidth);
    norm(`blk.${i}.ffn_norm`);
    matrix(`blk.${i}.ffn_gate`, mlpWidth, width);
    matrix(`blk.${i}.ffn_up`, mlpWidth, width);
    matrix(`blk.${i}.ffn_down`, width, mlpWidth);
  }
  norm('output_norm');
  matrix('output', vocabulary, width);
  return tensors;
}

// A vocabulary that llama.cpp accepts: three control pieces, all bytes, and made-up ones.
function addTokenizer(header, vocabulary) {
  const pieces = ['<unk>', '<s>', '</s>'];
  for (let i = 0; i < 256; ++i) pieces.push(`<0x${i.toString(16).toUpperCase().padStart(2, '0')}>`);
  const bytes = pieces.length;
  while (pieces.length < vocabulary) pieces.push(`\u2581p${pieces.length}`);
  header.entry('tokenizer.ggml.model', 'string', 'llama');
  header.list('tokenizer.ggml.tokens', 'string', pieces);
  header.list('tokenizer.ggml.scores', 'float32', pieces.map((_, i) => -i));
  header.list('tokenizer.ggml.token_type', 'int32',
              pieces.map((_, i) => (i === 0 ? 2 : i < 3 ? 3 : i < bytes ? 6 : 1)));
  header.entry('tokenizer.ggml.bos_token_id', 'uint32', 1);
  header.entry('tokenizer.ggml.eos_token_id', 'uint32', 2);
}

const aligned = (bytes) => Math.ceil(bytes / alignment) * alignment;

function bytesOf({dimensions, form}) {
  const {unitNumbers, unitBytes} = forms[form];
  return dimensions.reduce((a, b) => a * b) / unitNumbers * unitBytes;
}

function writeRandom(file, form, bytes) {
  const {unitBytes, fill} = forms[form];
  const most = Math.floor(blockBytes / unitBytes) * unitBytes;
  for (let left = bytes; left > 0;) {
    const block = Buffer.alloc(Math.min(left, most));
    randomFillSync(block);
    fill(block);
    writeSync(file, block);
    left -= block.length;
  }
}

// Writes `path`; it appears when it is complete. `form`: q8_0 or bf16.
export function writeGguf(path, shape, form) {
  const header = new Header();
  const tensors = tensorsOf(shape, form);
  header.entry('general.architecture', 'string', 'llama');
  header.entry('general.name', 'string', 'random');
  header.entry('general.alignment', 'uint32', alignment);
  const key = (name) => `llama.${name}`;
  header.entry(key('context_length'), 'uint32', 4096);
  header.entry(key('embedding_length'), 'uint32', shape.width);
  header.entry(key('block_count'), 'uint32', shape.layers);
  header.entry(key('feed_forward_length'), 'uint32', shape.mlpWidth);
  header.entry(key('attention.head_count'), 'uint32', shape.heads);
  header.entry(key('attention.head_count_kv'), 'uint32', shape.kvHeads);
  header.entry(key('attention.layer_norm_rms_epsilon'), 'float32', 1e-6);
  header.entry(key('rope.dimension_count'), 'uint32', shape.headWidth);
  header.entry(key('rope.freq_base'), 'float32', 1e6);
  header.entry(key('vocab_size'), 'uint32', shape.vocabulary);
  addTokenizer(header, shape.vocabulary);
  const entries = header.entries;

  let offset = 0;
  for (const tensor of tensors) {
    header.string(tensor.name);
    header.uint32(tensor.dimensions.length);
    for (const size of tensor.dimensions) header.uint64(size);
    header.uint32(forms[tensor.form].id);
    header.uint64(offset);
    offset += aligned(bytesOf(tensor));
  }
  const start = new Header();
  start.pieces.push(Buffer.from('GGUF'));
  start.uint32(3);
  start.uint64(tensors.length);
  start.uint64(entries);

  const file = openSync(`${path}.partial`, 'w');
  const head = Buffer.concat([...start.pieces, ...header.pieces]);
  writeSync(file, Buffer.concat([head, Buffer.alloc(aligned(head.length) - head.length)]));
  for (const tensor of tensors) {
    const bytes = bytesOf(tensor);
    if (tensor.form === 'f32') {
      writeSync(file, Buffer.from(new Float32Array(bytes / 4).fill(1).buffer));
    } else {
      writeRandom(file, tensor.form, bytes);
    }
    writeSync(file, Buffer.alloc(aligned(bytes) - bytes));
  }
  closeSync(file);
  renameSync(`${path}.partial`, path);
}
