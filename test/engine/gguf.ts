/** Writes GGUF version 3, the file format of llama.cpp (ggml's docs/gguf.md): header, metadata, tensor list, data. */

/** A metadata value with its GGUF type. */
export type MetadataValue =
  | { u32: number }
  | { f32: number }
  | { bool: boolean }
  | { text: string }
  | { texts: readonly string[] }
  | { f32s: readonly number[] }
  | { i32s: readonly number[] };

/** A tensor of 32-bit floats; `shape` starts with the dimension that varies fastest. */
export interface Tensor {
  name: string;
  shape: readonly number[];
  data: Float32Array;
}

const UINT32 = 4;
const INT32 = 5;
const FLOAT32 = 6;
const BOOL = 7;
const STRING = 8;
const ARRAY = 9;
const TENSOR_F32 = 0;
const ALIGNMENT = 32;

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function i32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function f32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeFloatLE(value);
  return bytes;
}

function u64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
}

function string(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([u64(bytes.length), bytes]);
}

const array = (type: number, items: readonly Buffer[]): Buffer =>
  Buffer.concat([u32(ARRAY), u32(type), u64(items.length), ...items]);

function encodeValue(value: MetadataValue): Buffer {
  if ('u32' in value) return Buffer.concat([u32(UINT32), u32(value.u32)]);
  if ('f32' in value) return Buffer.concat([u32(FLOAT32), f32(value.f32)]);
  if ('bool' in value) return Buffer.concat([u32(BOOL), Buffer.from([value.bool ? 1 : 0])]);
  if ('text' in value) return Buffer.concat([u32(STRING), string(value.text)]);
  if ('texts' in value) return array(STRING, value.texts.map(string));
  if ('f32s' in value) return array(FLOAT32, value.f32s.map(f32));
  return array(INT32, value.i32s.map(i32));
}

const padding = (length: number): Buffer => Buffer.alloc((ALIGNMENT - (length % ALIGNMENT)) % ALIGNMENT);

/** The bytes of a GGUF file. */
export function encodeGguf(metadata: Readonly<Record<string, MetadataValue>>, tensors: readonly Tensor[]): Buffer {
  const entries = Object.entries(metadata);
  const head = [Buffer.from('GGUF'), u32(3), u64(tensors.length), u64(entries.length)];
  for (const [key, value] of entries) head.push(string(key), encodeValue(value));
  const data: Buffer[] = [];
  let offset = 0;
  for (const { name, shape, data: floats } of tensors) {
    const size = shape.reduce((product, length) => product * length, 1);
    if (size !== floats.length) throw new RangeError(`${name}: ${floats.length} values for shape ${shape.join('×')}`);
    head.push(string(name), u32(shape.length), ...shape.map(u64), u32(TENSOR_F32), u64(offset));
    const bytes = Buffer.from(floats.buffer, floats.byteOffset, floats.byteLength);
    const pad = padding(bytes.length);
    data.push(bytes, pad);
    offset += bytes.length + pad.length;
  }
  const headBytes = Buffer.concat(head);
  return Buffer.concat([headBytes, padding(headBytes.length), ...data]);
}
