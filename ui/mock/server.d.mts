import type { IncomingMessage, ServerResponse } from 'node:http';

export const world: { many: number; may: boolean; cut: boolean; asked: unknown[]; streams: Set<ServerResponse> };
export function answer(request: Pick<IncomingMessage, 'url' | 'on'>, response: ServerResponse): boolean;
