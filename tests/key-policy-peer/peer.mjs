// Answers requests with @cloud-copilot/iam-simulate: one JSON object a line in, one word a line out.
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

// The package lies in a cache folder of its own, which the caller names.
const require = createRequire(pathToFileURL(`${process.argv[2]}/`));
const { runUnsafeSimulation } = require('@cloud-copilot/iam-simulate');
const { createValidatedPolicy } = require('@cloud-copilot/iam-policy');

const everything = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: '*', Action: '*', Resource: '*' }],
};

function answer(one) {
  return runUnsafeSimulation(
    {
      request: {
        principal: one.principal,
        action: one.action,
        resource: { resource: one.resource, accountId: one.account },
        contextVariables: one.context,
      },
      identityPolicies: one.identity.map((policy, index) => ({ name: `identity-${index}`, policy })),
      serviceControlPolicies: [],
      resourceControlPolicies: [
        { orgIdentifier: 'root', policies: [{ name: 'everything', policy: everything }] },
      ],
      // The simulator wants a name, and takes it from a policy that says it was checked.
      resourcePolicy: createValidatedPolicy(one.policy, () => [], { name: 'key-policy' }),
    },
    {},
  );
}

const words = [];
for await (const line of createInterface({ input: process.stdin })) {
  let word;
  try {
    word = answer(JSON.parse(line));
  } catch (error) {
    word = `Error ${error.message.split('\n')[0]}`;
  }
  words.push(word);
}
process.stdout.write(`${words.join('\n')}\n`);
