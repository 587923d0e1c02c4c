/** The jobs of the examples, in a file of their own so that they can be deployed as they are. */
import { defineJob } from 'jobferry';

/** Slow on purpose, and worth sending away. Running it twice does no harm. */
export const primes = defineJob({
  id: 10,
  name: 'primes',
  idempotent: true,
  handler: (limit: number) => {
    let count = 0;
    for (let n = 2; n <= limit; n += 1) {
      let isPrime = true;
      for (let d = 2; d * d <= n && isPrime; d += 1) isPrime = n % d !== 0;
      if (isPrime) count += 1;
    }
    return count;
  },
});

/** Cheap: stays in the process. */
export const shout = defineJob({ id: 11, name: 'shout', handler: (text: string) => text.toUpperCase() });
