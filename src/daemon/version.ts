export const version = '0.1.0'
export const apiVersion = '1.55'
export const minApiVersion = '1.24'
