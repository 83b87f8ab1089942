import { describe, expect, it } from 'vitest';
import { SerialQueue } from '../../../src/dsql/serial-queue.ts';

describe('a series of tasks', () => {
  it('goes on behind one that failed', async () => {
    const queue = new SerialQueue();
    const failing = queue.run(() => Promise.reject(new Error('one')));
    const next = queue.run(() => Promise.resolve('two'));
    await expect(failing).rejects.toThrow('one');
    expect(await next).toBe('two');
  });

  it('begins none before the one ahead of it has ended', async () => {
    const queue = new SerialQueue();
    const steps: string[] = [];
    const task = (name: string) => async (): Promise<void> => {
      steps.push(`${name} begins`);
      await new Promise((resolve) => setImmediate(resolve));
      steps.push(`${name} ends`);
    };
    await Promise.all([queue.run(task('one')), queue.run(task('two'))]);
    expect(steps).toEqual(['one begins', 'one ends', 'two begins', 'two ends']);
  });
});
