/**
 * The few native constructors under `node:net` that let a worker read into one shared buffer and write without a stream
 * object per socket. `process.binding` is Node's own allow-listed door to them; its shape is checked once, here, and the
 * same on Node 20 to 26 (decisions/001).
 */

/** Counters that the native side fills before it calls back. */
export interface StreamState {
  readonly state: Int32Array | Float64Array;
  readonly readBytesOrError: number;
  readonly lastWriteWasAsync: number;
}

/** A write, shutdown or connect under way. */
export interface NativeRequest {
  oncomplete: (status: number) => void;
  wire?: unknown;
  buffer?: unknown;
}

/** A stream handle: TCP, Pipe or TLS. */
export interface NativeHandle {
  onread: (this: NativeHandle) => Uint8Array | undefined;
  wire?: unknown;
  readonly writeQueueSize: number;
  readStart(): number;
  readStop(): number;
  useUserBuffer(buffer: Uint8Array): void;
  writeBuffer(request: NativeRequest, buffer: Uint8Array): number;
  writeLatin1String(request: NativeRequest, text: string): number;
  shutdown(request: NativeRequest): number;
  close(done?: () => void): void;
  reset?(done?: () => void): number;
  setNoDelay?(on: boolean): number;
  setKeepAlive?(on: boolean, delaySeconds: number): number;
  getpeername?(out: { address?: string; port?: number; family?: string }): number;
  getsockname?(out: { address?: string; port?: number; family?: string }): number;
  connect?(request: NativeRequest, address: string, port?: number): number;
  connect6?(request: NativeRequest, address: string, port: number): number;
}

type RequestClass = new () => NativeRequest;
type HandleClass = new (kind: number) => NativeHandle;

interface StreamBinding {
  WriteWrap: RequestClass;
  ShutdownWrap: RequestClass;
  streamBaseState: Int32Array;
  kReadBytesOrError: number;
  kLastWriteWasAsync: number;
}

type Binding = (name: string) => unknown;

function load() {
  try {
    const binding = (process as unknown as { binding: Binding }).binding;
    const stream = binding('stream_wrap') as StreamBinding;
    const tcp = binding('tcp_wrap') as {
      TCP: HandleClass;
      TCPConnectWrap: RequestClass;
      constants: { SOCKET: number };
    };
    const pipe = binding('pipe_wrap') as {
      Pipe: HandleClass;
      PipeConnectWrap: RequestClass;
      constants: { SOCKET: number };
    };
    if (typeof stream.WriteWrap !== 'function' || typeof tcp.TCP !== 'function') throw new Error('unexpected shape');
    return { stream, tcp, pipe };
  } catch (error) {
    throw new Error(
      `this Node (${process.version}) does not offer the socket bindings that Gatehouse reads and writes through ` +
        `(${error instanceof Error ? error.message : error}); run it on Node 20.19 to 26, without --permission`,
    );
  }
}

const { stream, tcp, pipe } = load();

/** Where the native side leaves its results. */
export const STREAM_STATE = stream.streamBaseState;
/** Index in STREAM_STATE: whether the last write is still under way. */
export const WRITE_ASYNC = stream.kLastWriteWasAsync;
const READ_RESULT = stream.kReadBytesOrError;

/** Of the read that calls back: bytes read, or a negative error. */
export function readResult(): number {
  return STREAM_STATE[READ_RESULT] as number;
}

/** Whether the write just made is still under way. */
export function writesOn(): boolean {
  return STREAM_STATE[WRITE_ASYNC] !== 0;
}

/** A write under way. */
export const WriteRequest = stream.WriteWrap;
/** A half-close under way. */
export const ShutdownRequest = stream.ShutdownWrap;
/** A TCP connect under way. */
export const TcpConnectRequest = tcp.TCPConnectWrap;
/** A unix socket connect under way. */
export const PipeConnectRequest = pipe.PipeConnectWrap;

/** A new, unconnected TCP socket. */
export function tcpSocket(): NativeHandle {
  return new tcp.TCP(tcp.constants.SOCKET);
}

/** A new, unconnected unix socket. */
export function pipeSocket(): NativeHandle {
  return new pipe.Pipe(pipe.constants.SOCKET);
}
