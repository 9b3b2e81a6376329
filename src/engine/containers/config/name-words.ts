/** Words for generated names. Friendly in any combination, lower case letters only. */
export const adjectives: readonly string[] = words(`
  able agile airy alert alpine amber ample apt artful azure balmy bold brave breezy bright brisk calm candid cheery
  chipper civil clear clever copper coral cordial cosmic cozy crisp curious dapper daring dawning deft devoted dewy eager
  early easy emerald even fair famous fearless fleet floral fluent fond frank fresh frosty gallant genial gentle gilded
  glad gleaming golden graceful grand hardy hearty helpful honest humble ivory jaunty jolly keen kind lively loyal lucid
  lunar mellow merry mild mindful mossy neat nimble noble opal patient placid plucky polite proud quick quiet radiant
  ready rosy rustic sage sandy serene silver sincere smiling snowy solar spry steady sturdy sunny swift tidy tranquil
  trusty upbeat vivid warm wise witty`)

/** People who found something out, and some who measured, proved or built it. */
export const surnames: readonly string[] = words(`
  abel agnesi alhazen ampere anning apgar arago archimedes avogadro banneker bardeen bernoulli berzelius bohr boltzmann
  bolyai boole brahe bragg burnell cannon cantor carnot cauchy cavendish celsius chandrasekhar charpentier chebyshev clausius
  copernicus coulomb crick curie cuvier dalton darwin dedekind descartes dirac doppler eddington ehrenfest einstein eratosthenes
  erdos euclid euler fahrenheit faraday fermat fermi feynman fibonacci fizeau fleming foucault fourier franklin fraunhofer
  fresnel galileo galois galvani gauss germain gibbs goedel goeppert hadamard halley hamilton harvey heisenberg henry herschel
  hertz hilbert hippocrates hodgkin hooke hopper hubble humboldt huygens hypatia jacobi jemison joliot joule kelvin kepler
  khwarizmi kirchhoff klein koch kovalevskaya lagrange lamarr lamarck landau laplace lavoisier leavitt leeuwenhoek leibniz
  levi linnaeus lovelace lyell marconi maxwell mayer mcclintock meitner mendel mendeleev michelson mirzakhani moebius morley
  napier newton noether ohm oersted pascal pasteur pauling payne planck poincare poisson priestley ptolemy pythagoras
  ramanujan raman ramsay rayleigh riemann ritchie roentgen rubin rutherford sagan scheele schroedinger semmelweis shannon
  somerville stokes tesla thales thomson torricelli tsiolkovsky turing vesalius virchow volta wallace watt wegener weyl
  wiles wren wu yalow young zuse`)

function words(text: string): string[] {
  return text.trim().split(/\s+/)
}
