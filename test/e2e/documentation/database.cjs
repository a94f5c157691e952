// What the snippets call `../database`.
module.exports = { db: require('./host.cjs').db }
