// A request that is not let in, and why. NetSuite does not tell; this server does, so that a test can see that a refusal
// has the reason that it meant to give.
export class Refused extends Error {}
