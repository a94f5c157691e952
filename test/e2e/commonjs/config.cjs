// The configuration of a small host, as teams on node-fhir-server-core write it: CommonJS, a driver of their own.
const { MongoClient } = require('mongodb')

const db = new MongoClient(process.env.MONGODB_URI).db()

function service(type) {
  return {
    async search(args) {
      const query = {}
      if (args._id) query.id = args._id
      if (args.subject) query['subject.reference'] = args.subject
      return db.collection(type).find(query).toArray()
    },
    searchById: (args) => db.collection(type).findOne({ id: args.id }),
  }
}

const types = ['Patient', 'Group', 'Observation', 'Organization']

module.exports = {
  profiles: Object.fromEntries(types.map((type) => [type, { service: service(type), versions: ['4_0_0'] }])),
  server: {},
  logging: { level: 'error' },
}
