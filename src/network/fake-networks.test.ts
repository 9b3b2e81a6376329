import { FakeNetworks } from './fake-networks.ts'
import { networksSuite } from './networks.suite.ts'

const networks = new FakeNetworks()
networksSuite('FakeNetworks', () => networks)
