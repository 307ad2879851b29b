/** Commands that documents of every kind have: show, enable and disable, delete. */
import type { Command } from 'commander';
import { documentCommand, facts, print, show, write } from './documents.ts';

/** `show ID`. */
export const showCommand = (resource: string, what: string): Command =>
  documentCommand('show', what, async (flags, [id = '']) => {
    const found = await show(flags, resource, id);
    if (flags.json) print(JSON.stringify(found));
    else facts(found);
  }).argument('<id>');

/** `enable ID` or `disable ID`. */
export const switchCommand = (resource: string, name: 'enable' | 'disable', what: string): Command =>
  documentCommand(name, what, async (flags, [id = '']) => {
    const answer = await write(flags, 'PATCH', resource, id, { disabled: name === 'disable' });
    if (flags.json) print(JSON.stringify(answer));
    else print(`${id} is ${name}d`);
  }).argument('<id>');

/** `delete ID`. */
export const deleteCommand = (resource: string, what: string): Command =>
  documentCommand('delete', what, async (flags, [id = '']) => {
    await write(flags, 'DELETE', resource, id);
    if (!flags.json) print(`${id} is gone`);
  }).argument('<id>');
