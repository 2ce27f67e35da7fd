await using x = {
  async [Symbol.asyncDispose]() {
    console.log('disposed', process.version);
  },
};
console.log(process.argv.slice(2), typeof x);
